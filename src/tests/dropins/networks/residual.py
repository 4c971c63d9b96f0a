import torch

import utils

class Net(torch.nn.Module):
    def __init__(self,inputsize,taskcla):
        super(Net,self).__init__()
        ncha,size,_=inputsize
        self.conv1=torch.nn.Conv2d(ncha,8,kernel_size=3)
        s=utils.compute_conv_output_size(size,3)
        s=s//2
        self.maxpool=torch.nn.MaxPool2d(2)
        self.fc1=torch.nn.Linear(8*s*s,50)
        self.outs=torch.nn.ModuleList([torch.nn.Linear(50,n) for _,n in taskcla])

    def heads(self):
        return list(self.outs)

    def forward(self,x):
        h=self.maxpool(torch.nn.functional.relu(self.conv1(x)))
        h=torch.nn.functional.relu(self.fc1(h.view(x.size(0),-1)))
        return [out(h) for out in self.outs]
