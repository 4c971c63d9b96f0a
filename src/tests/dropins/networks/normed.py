import torch

class Net(torch.nn.Module):
    """ A network with batch normalisation and dropout, as one writes them for PyTorch """
    def __init__(self,inputsize,taskcla):
        super(Net,self).__init__()
        ncha,size,_=inputsize
        s=(size-2)//2
        self.taskcla=taskcla
        self.conv1=torch.nn.Conv2d(ncha,8,kernel_size=3)
        self.bn1=torch.nn.BatchNorm2d(8)
        self.maxpool=torch.nn.MaxPool2d(2)
        self.fc1=torch.nn.Linear(8*s*s,50)
        self.bn2=torch.nn.BatchNorm1d(50)
        self.drop=torch.nn.Dropout(0.1)
        self.relu=torch.nn.ReLU()
        self.last=torch.nn.ModuleList([torch.nn.Linear(50,n) for _,n in taskcla])

    def forward(self,x):
        h=self.maxpool(self.relu(self.bn1(self.conv1(x))))
        h=self.drop(self.relu(self.bn2(self.fc1(h.view(x.size(0),-1)))))
        return [last(h) for last in self.last]
